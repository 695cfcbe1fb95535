"""Which column means what: by its usual names, or as the user says."""

import pytest

from pulsoid_rec.recorder.importing.columns import find_columns, no_columns_error


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("room_id,profile_id,name,bpm,occurred_at,received_at,connection_id", "occurred_at,bpm,profile_id"),
        ("Sample rate,Time,HR (bpm),Speed (km/h)", "Time,HR (bpm),"),
        ("timestamp,position_lat,heart_rate", "timestamp,heart_rate,"),
        ("time,heartrate,cadence", "time,heartrate,"),
        ("time_s,member,bpm", "time_s,bpm,member"),
        ("Datum,Uhrzeit,Name,Herzfrequenz [1/min]", "Datum+Uhrzeit,Herzfrequenz [1/min],Name"),
        ("Date,Time,Player,Heart Rate (bpm)", "Date+Time,Heart Rate (bpm),Player"),
        ("Date,Timestamp,Pulse", "Timestamp,Pulse,"),  # which has a date of its own
        ("Date,HR", "Date,HR,"),
        ("Name,Sport,Date,Start time,Average heart rate (bpm)", None),
        ("bpm,member", None),
    ],
)
def test_usual_names_are_recognized(header: str, found: str | None) -> None:
    columns = find_columns(header.split(","), {})
    if columns is None:
        assert found is None
        return
    date = f"{columns.name('date')}+" if "date" in columns.places else ""
    member = columns.name("member") if "member" in columns.places else ""
    assert f"{date}{columns.name('time')},{columns.name('bpm')},{member}" == found


def test_a_name_beside_an_id_is_a_name_and_else_the_member() -> None:
    beside = find_columns(["profile_id", "name", "time", "bpm"], {})
    alone = find_columns(["name", "time", "bpm"], {})
    assert beside is not None
    assert alone is not None
    assert (beside.places["member"], beside.places["name"], beside.has_ids) == (0, 1, True)
    assert (alone.places["member"], alone.places.get("name"), alone.has_ids) == (0, None, False)


def test_columns_that_are_named_are_taken_and_no_others() -> None:
    header = ["t", "Date", "time", "who", "hr", "HR 2"]
    columns = find_columns(header, {"time": "t", "member": " who ", "bpm": "HR 2"})
    assert columns is not None
    assert columns.places == {"time": 0, "member": 3, "bpm": 5}
    assert columns.ignored == ["Date", "time", "hr"]
    with_date = find_columns(header, {"time": "t", "date": "Date"})
    assert with_date is not None
    assert with_date.places["date"] == 1
    assert find_columns(header, {"time": "T"}) is None


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"time": "T"}, "a.csv has no column 'T'. Its columns are 'x', 'bpm'."),
        ({}, "a.csv has no column known for time. Its columns are 'x', 'bpm'. Add --time-column."),
        ({"time": "x"}, "a.csv has no column known for bpm. Its columns are 'x', 'y'. Add --bpm-column."),
    ],
)
def test_what_is_missing_is_named_with_what_is_there(named: dict[str, str], message: str) -> None:
    header = ["x", "y" if "bpm" in message.partition(".")[2][:40] and named == {"time": "x"} else "bpm"]
    assert str(no_columns_error("a.csv", header, named)) == message
