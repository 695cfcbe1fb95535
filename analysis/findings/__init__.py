"""What to know before trusting a figure: gathered once for a report, taken apart by session, and put into words.

May import `reading` and `metrics`; loads neither altair nor rich. A recording goes in, `ReportData` and notes come out.

- `report_data`: all a report shows, of one state of the file; `session_view`: one session of it.
- `notes`: gathers what `presence`, `offline` and `quality` find.
- `what_exists`: what to choose from, for the message when a choice finds nothing.
- `wording`: durations, counts and shares as text.
"""
