"""A report in the terminal, as a page, and as JSON.

May import `charts` and what is below it. `ReportData` goes in, text comes out.

- `terminal`, with `terminal_columns`.
- `html`, from `html_sections`, `html_tables`, `html_charts` and the templates; `vega` bundles the scripts.
- `json_rows`.
"""
