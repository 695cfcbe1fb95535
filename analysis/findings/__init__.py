"""What to know before trusting a figure: read once for a report, divided by session, and described in notes.

May import `reading` and `metrics`; loads neither altair nor rich. A recording goes in, `ReportData` and notes come out.

- `report_data`: all that a report shows, of one state of the file; `session_view`: one session of it.
- `checks`: the checks of readings one by one, slice by slice, with those of `pace` (how often a sensor reports) and
  `faults` (values that cannot be a heart rate).
- `notes`: all notes of a session, a `note` each, from `clock_notes` (with `clocks`, compared by `leads`), `presence`
  (with `offline`), `untimely`, `quality` and `rejected`; `unmatched_members`: who of the members file is nobody;
  `withdrawn`: whose consent is withdrawn.
- `concurrent`: sessions that were received at the same time as those shown.
- `season`: figures of many sessions, and of their members over all of them.
- `what_exists`: the message when a filter or name matches nothing, which lists what exists.
- `local_time`: instants as text that selects them again; `wording`: shares and figures as text.
"""
