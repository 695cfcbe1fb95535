"""A report in the terminal, as a page, and as JSON.

May import `charts` and what is below it. `ReportData` goes in, text comes out.

- `terminal`, with `terminal_columns` in a `text_table`.
- `html`, from `html_sections` or `html_season`, `html_tables`, `html_charts`; `group_page`, of commands about a group;
  `response_page` and `together_page` make them, which `group_terminal` shows too; `together_charts`, `together_words`:
  what the latter consists of. `html_page` fills in the templates, `vega` has the scripts.
- `json_rows`.
"""
