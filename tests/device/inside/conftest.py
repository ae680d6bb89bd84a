"""Runs inside the device lab: Debian 13, real libcamera and picamera2, virtual camera."""

from tests.device.stand_ins import virtual_camera

virtual_camera.install()
