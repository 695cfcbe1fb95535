"""What to know before trusting a figure: read once for a report, divided by session, and described in words.

May import `reading` and `metrics`; loads neither altair nor rich. A recording goes in, `ReportData` and notes come out.

- `report_data`: all that a report shows, of one state of the file; `session_view`: one session of it.
- `notes`: all notes of a session, a `note` each, from `presence` (with `offline`) and `quality`.
- `what_exists`: what to choose from, for the message when a choice finds nothing.
- `wording`: instants, shares and figures as text.
"""
