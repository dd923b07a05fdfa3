"""Kinds of what a store keeps beside trials: by name, the latest of each."""

HISTORY = "history"
"""Kind of the artefacts that hold, by table, what became of its rows when they were last imported."""

GIVEN_UP = "station given up"
"""Kind of the artefacts that hold, by station, why a session uses it no longer after failures, and since when."""

FORGETFUL = "station that knows no jobs"
"""Kind of the artefacts that name the stations whose devices cannot tell what became of a job that was cut short."""

UNSAFE = "not in its safe state"
"""Kind of the artefacts that hold, by station, why it may not be in its safe state, since when, and until when by the
journal somebody has to say that it is."""

WAITS = "station waits"
"""Kind of the artefacts that hold, by station, why the jobs that it could do have to wait, since when, and whether that
needs people; of the session that goes on."""

ENDING = "ending of the run"
"""Kind of the artefact that says why the run that goes on begins nothing new, and what it waits for."""

STANDARD_RUN = "calibration standard"
"""Kind of the artefacts that hold what a station gave for its calibration standard, by station and number."""

STANDARD_DATA = "raw data of a calibration standard"
"""Kind of the artefacts that hold the raw data of these measurements, by the same names."""

LOST = "lost job"
"""Kind of the artefacts that hold, by trial and step, what instruments know of it that an earlier copy of the store,
brought back, did not: the attempt, the station, and whether the trial itself is later than the copy."""

RESTORED = "brought back"
"""Kind of the artefact that says when the store was brought back from a copy, by which somebody says that it counts."""

SOURCE = "source"
"""Kind of the artefacts that hold, by name, what the models use of a source of earlier measurements."""

ASKED_SINCE = "unanswered since"
"""Kind of the artefacts that hold, by what is asked of people, the lab time in s at which that was noticed first."""

ASKED = "asked of a person"
"""Kind of the artefacts that hold, by token, what somebody is to do as a step of a trial, and until when."""
