"""What the summary's columns mean, with their units, for those who open it elsewhere."""

from pulsoid_rec.analysis.metrics.zones import ZONES

SUMMARY: dict[str, str] = {
    "room_id": "the room",
    "session": "number of the room's session, by time",
    "profile_id": "the member",
    "name": "the member's name: of members.toml, else of the latest config, else the id's first 8 characters",
    "first_at": "first plausible reading, UTC",
    "last_at": "last plausible reading, UTC",
    "span_s": "seconds from the first plausible reading to the last",
    "observed_s": "seconds for which plausible readings held",
    "coverage": "observed_s / span_s",
    "readings": "plausible readings",
    "duplicates": "rows equal in room, member, instant and bpm to an earlier one; left out",
    "implausible": "readings outside the plausible range; left out of every statistic",
    "gaps": "times that consecutive plausible readings were further apart than a reading holds",
    "longest_gap_s": "seconds of the longest of them; 0 when there are none",
    "bpm_mean": "beats per minute, mean weighted by time",
    "bpm_sd": "beats per minute, population standard deviation weighted by time",
    "bpm_min": "beats per minute, lowest plausible reading",
    "bpm_floor": "beats per minute, lowest that was held for 60 s or more, it or lower",
    "bpm_p05": "beats per minute, 5 % quantile weighted by time",
    "bpm_median": "beats per minute, median weighted by time",
    "bpm_p95": "beats per minute, 95 % quantile weighted by time",
    "bpm_peak": "beats per minute, highest that was held for 5 s or more, it or higher",
    "bpm_max": "beats per minute, highest plausible reading",
    **{
        f"zone{zone}_s": f"seconds in zone {zone}"
        + (f", from {40 + 10 * zone} % of HRmax" if zone else ", below zone 1")
        for zone in ZONES
    },
    "hr_max": "highest heart rate in beats per minute, to a tenth; null when unknown",
    "hr_max_source": "where hr_max is from: given, age (208 - 0.7 x age, Tanaka 2001)",
    "trimp_edwards": "training load: minutes in each zone times its number (Edwards 1993)",
    "trimp_banister": "training load: minutes weighted by heart-rate reserve (Banister 1991)",
    "hrr60": "beats per minute, largest fall in the 60 s after an effort of 2 min at 70 % of HRmax (Cole 1999)",
}
