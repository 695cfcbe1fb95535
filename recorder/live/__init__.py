"""The live page of `record --live`: what a recorder receives, shown by its own process while it records.

Nothing here can hold up or end the recording: rows are handed over by `Journal.listener`, worked on in small pieces,
and an error ends at most the page.

- `server`: sockets, Hypercorn, the tick of each second, and that no error leaves this room
- `app`: the paths (`/`, `/events`, `/marks`, `/healthz`, `/metrics`) and their answers, as a Starlette application
- `access`: who may see the page and mark: the key, the host's name, the origin
- `marks`: what a request to mark says
- `viewers`: those who follow the events, each with a short queue; `viewer_stream`: their connections, cut in time
- `events`: what is sent to the page, as data: the contract between server and page
- `state`: rows in, snapshots and updates out
- `members`: who is shown, and by what name; `member`: one of them
- `figures`: lowest, highest, coverage as of the definitions; `line`: the readings to draw
- `room_clock`: the clock on which everything is shown: the room's
- `history`: what was recorded before this run
- `metrics`: the numbers of a recorder, for Prometheus
- `page/`: HTML, CSS and JavaScript, served as they are
"""
