"""What to know before trusting a figure: read once for a report, divided by session, and described in notes.

May import `reading` and `metrics`; loads neither altair nor rich. A recording goes in, `ReportData` and notes come out.

- `report_data`: all that a report shows, of one state of the file; `session_view`: one session of it.
- `season`: figures of many sessions, and of their members over all of them.
- `notes`: all notes of a session, a `note` each, from `presence` (with `offline`) and `quality`.
- `what_exists`: the message when a filter or name matches nothing, which lists what exists.
- `wording`: instants, shares and figures as text.
"""
