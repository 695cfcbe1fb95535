"""When this process started: the instant of a mark, since whoever makes it cannot wait for Python to load.

Imported before anything that takes long. A process that has just begun has worked nearly all the time, so that its
start is the present less the processor time that it has used: off by the milliseconds in which it waited for the disk.
"""

from time import process_time_ns, time_ns

STARTED_US = (time_ns() - process_time_ns()) // 1000
"""In microseconds since 1970 (UTC), by the wall clock; never before the start, and a little after it."""
