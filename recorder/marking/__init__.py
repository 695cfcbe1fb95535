"""Marks: notes about an instant, such as a goal or the start of a match, in the tables with what was recorded.

- `mark`: what a mark is made of, checked; pure
- `board`: the marks that a running recorder has, and those that its page and its API make
- `recorded_rooms`: the rooms that recorders are recording now
- `store`: writes marks from outside a recorder: to the journal, and from there to the database
"""
