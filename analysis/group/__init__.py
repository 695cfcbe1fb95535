"""What members of a group did at the same time: figures of several hearts at once, each tested against chance.

May import `findings`, `reading` and `metrics`; computes with numpy, and loads neither altair nor rich.

- `session_grid`: a session's readings as an array, a row a second and a column a member.
- `together`: how alike the members moved, by every measure; `synchrony`: what a measure gives.
- `detrend`, `windows`: what is compared; `surrogates`: chance, and the test against it.
- `isc`, `eigenvalue`, `cross_correlation`, `recurrence`: the measures; `correlations`: what three of them are made of.
- `pseudo_groups`: the same with members of different sessions.
- `sessions_together`: reads and measures sessions; `figures`: the results as frames; `course`: over time, untested.
- `responses`: what heart rates did around marks, from `mark_windows`; `response_reading` reads what it needs, and
  returns a `response_result`, which `response_words` describes and `response_frame` makes a row of.
"""
