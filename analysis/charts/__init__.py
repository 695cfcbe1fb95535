"""The charts that the page and the notebooks draw, as Vega-Lite specifications made by altair.

May import `findings` and what is below it. A `SessionView` goes in, a chart comes out.

- `timeline`, `members`, `amounts`, `history`, `season`, `responses`, `pairs`, `course`: the charts.
- `drawing`: a chart's specification, made once and filled with the data of many sessions.
- `data`, `layers`, `mark_layers`, `style`: what they are made of: thinned readings, layers, those of marks and phases,
  colours and type.
"""
