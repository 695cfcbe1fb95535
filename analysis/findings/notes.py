"""All that a reader must know before trusting a report's figures."""

from pulsoid_rec.analysis.findings.clock_notes import clock_notes
from pulsoid_rec.analysis.findings.note import Note
from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.quality import quality_notes
from pulsoid_rec.analysis.findings.rejected import describe_unplaced, rejected_notes
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.findings.untimely import untimely_notes


def session_notes(view: SessionView) -> list[Note]:
    """Gather all notes about a session: clocks, the recorder and who was there, then sensors, coverage, rejections."""
    return [
        *clock_notes(view),
        *presence_notes(view),
        *untimely_notes(view),
        *quality_notes(view),
        *rejected_notes(view),
    ]


def report_notes(report: ReportData) -> list[str]:
    """Gather what is to be known of a report beyond its sessions.

    That is rejected messages of no session, sessions received at the same time, members that are unknown, and those
    whose consent is withdrawn.
    """
    of_members = [text for text in (report.unmatched, report.withdrawn) if text is not None]
    return describe_unplaced(report.rejected, report.rooms) + report.concurrent + of_members
