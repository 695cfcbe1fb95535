"""What to know before trusting a figure: read once for a report, divided by session, and described in notes.

May import `reading` and `metrics`; loads neither altair nor rich. A recording goes in, `ReportData` and notes come out.

- `report_data`: all that a report shows, of one state of the file; `session_view`: one session of it.
- `notes`: all notes of a session, a `note` each, from `presence` (with `offline`), `quality` and
  `rejected`; `unmatched_members`: who of the members file is nobody.
- `what_exists`: the message when a filter or name matches nothing, which lists what exists.
- `wording`: instants, shares and figures as text.
"""
