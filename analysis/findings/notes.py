"""All that a reader must know before trusting a session's figures."""

from pulsoid_rec.analysis.findings.clock_notes import clock_notes
from pulsoid_rec.analysis.findings.note import Note
from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.quality import quality_notes
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.untimely import untimely_notes


def session_notes(view: SessionView) -> list[Note]:
    """Gather all notes about a session: clocks, the recorder and who was there, then sensors and coverage."""
    return clock_notes(view) + presence_notes(view) + untimely_notes(view) + quality_notes(view)
