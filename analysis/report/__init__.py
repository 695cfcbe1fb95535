"""A report in the terminal, as a page, and as JSON.

May import `charts` and what is below it. `ReportData` goes in, text comes out.

- `terminal`, with `terminal_columns` in a `text_table`.
- `html`, from `html_sections` or `html_season`, `html_tables`, `html_charts`; `group_page`, of commands about a group;
  `response_page` is one, which `group_terminal` shows too. `html_page` fills in the templates, `vega` has the scripts.
- `json_rows`.
"""
