"""What a fault means and what to do, for the console: each code of docs/ref/faults.md, as a test holds."""

from collections.abc import Mapping
from typing import Final

FAULTS: Final[Mapping[str, str]] = {
    "no-recipient": "nothing is recorded: pair a phone with `doorbell pair`",
    "one-recipient": "only one key can open your clips: pair a second phone or keep the recovery key safe",
    "camera-missing": "the camera is not there: check cable and power, and [camera] source",
    "camera-failed": "the camera failed and is started again: if it stays, look at the recorder's journal",
    "camera-frozen": "no new picture for seconds; it is started again: check cable and power",
    "camera-changed": "the camera sends another kind of picture; it is started again",
    "camera-unreadable": "what the camera gives can't be read as video: check [camera] source",
    "camera-ended": "the file has come to its end: add ?loop=1 to [camera] source, or name another file",
    "zones": "nothing is recorded, for a privacy zone can't be drawn: check [camera] privacy_zones",
    "storage-full": "the card is full: make room or lower [clips] max_bytes",
    "storage-failed": "the card can't be written: replace it",
    "storage-pinned": "what you kept or are sending takes all the room: delete clips that you no longer need",
    "log-changed": "the log was changed: keep the card, and compare with `doorbell log --against`",
    "segments-quarantined": "unexplained files were moved to quarantine/; if it goes on, replace the card",
    "recorder-overfull": "the pre-roll is shorter than asked: lower [camera] bitrate or [clips] pre_roll_s",
    "recorder-down": "the recorder is not running: it is started again",
    "uplink-down": "the uplink is not running, so no requests arrive: it is started again",
    "broker-down": "the platform's broker can't be reached, so no requests arrive: check the internet connection",
    "broker-refused": "the platform's broker refused this doorbell: check user name, password or certificate",
    "directory": "the agencies' directory can't be renewed or verified: check the internet connection",
    "directory-late": "the agencies' directory was not renewed in time: check the internet connection",
    "directory-missing": "no directory is held yet and requests wait: check [platform] directory and the network",
    "directory-refused": "the agencies' directory does not verify and is not used: if it stays, ask the platform",
    "directory-expired": "the agencies' directory is out of date and nothing is shared: check the connection",
    "directory-disk": "the directory can't be written: free space in state_dir",
    "clock-unsynced": "the time is not known yet: requests wait until it is",
    "clock-suspect": "the time jumped by more than a day: confirm it on your phone",
    "upload-waits": "an upload has to wait: it is tried again by itself",
    "page-port": "the owner's page can't listen, its port is taken: stop what holds it or set [page] port",
    "button": "the pin of the button or the bell can't be used: check the wiring and the number",
    "lamp": "the lamp's pin can't be used: check the wiring and the number",
}
