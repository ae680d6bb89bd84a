"""What each block of the picture looks like when nobody is there, and how restless it is.

Rules of this room: pure, no allocation after construction. The background follows light quickly where nothing
happens, absorbs parked things slowly and keeps still under a visitor. Restlessness is an upper expectile of the
change that the kernel tests (Newey and Powell 1987), so trees, water, rain and night noise raise their own
blocks' threshold only. What runs at rest calls OpenCV alone: after a sleep a second library's code is cold.
"""

import cv2
import numpy as np

from agent.capture import motion_numbers as n
from agent.capture.motion_light import LightFit
from agent.capture.motion_planes import CROSS, WIDE, Mask, Plane, above, at_least, flat, share


class Background:
    """Background, recent past, restlessness and thresholds; planes are float32 (rows, columns).

    `scale` multiplies every threshold (sensitivity), `zone` is 1 where motion counts and 0 elsewhere.
    """

    def __init__(self, shape: tuple[int, int], *, scale: float, zone: Plane) -> None:
        def plane() -> Plane:
            return np.zeros(shape, np.float32)

        self.light = LightFit(shape)
        self.mean, self.recent, self.restless = plane(), plane(), plane()
        self.difference, self.size, self.change = plane(), plane(), plane()
        self.threshold, self.per_threshold, self.per_rise, self.per_fall = plane(), plane(), plane(), plane()
        self.smooth_gain, self.ratio = plane(), plane()
        self._rate, self._a, self._b, self._low, self._high = plane(), plane(), plane(), plane(), plane()
        self._quick, self._held, self._none = plane(), plane(), plane()
        self._quiet = np.zeros(shape, np.uint8)
        self._mask = np.zeros(shape, np.uint8)
        self._white = np.zeros(shape, np.uint8)
        self._whitest = 0.0
        self._scale, self._zone = scale, zone
        self._least, self._most = flat(shape, n.THRESHOLD_FLOOR * scale), flat(shape, n.THRESHOLD_CEILING)
        self._darkest, self._brightest = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._within_bytes = bytearray(shape[0] * shape[1])
        self._within = np.frombuffer(self._within_bytes, np.uint8).reshape(shape)
        self._outside = (1 - zone) * np.float32(1000) - np.float32(0.5)
        self._stale = True  # `per_rise` and `per_fall` are older than the thresholds
        self.learned = 0
        self._basis_age_s = self._age_s = 0.0
        self.restless.fill(1)

    def restart(self, small: Mask) -> None:
        """Take this picture as the background."""
        np.copyto(self.mean, small)
        self.recent.fill(0)
        self.learned = 0
        self.light.forget()
        self._rebase()
        self._set_thresholds()

    def holds(self, small: Mask) -> bool:
        """Whether `compare` would find no block above its threshold, were the light as it last was.

        If not, what is derived from the background is brought up to date for the comparison.
        """
        cv2.inRange(small, self._darkest, self._brightest, self._within)
        if 0 not in self._within_bytes:  # one search of some 800 bytes: the cheapest way to ask for all
            return True
        if self._basis_age_s >= n.BASIS_S:
            self._rebase()
        return False

    def compare(self, small: Mask, elapsed_s: float, but: Mask | None) -> bool:
        """Set `difference` (background and light removed) and its `size`, and follow the recent past.

        Returns whether any block differs by more than its threshold; `change`, against the recent past, is set
        then only.
        """
        cv2.subtract(small, self.mean, self.difference, dtype=cv2.CV_32F)  # numpy would make a buffer to cast
        self.light.remove(self.difference, but, elapsed_s)
        self._unclip(small)
        cv2.absdiff(self.difference, self._none, self.size)
        cv2.multiply(self.size, self.per_threshold, self.ratio)
        exceeds = cv2.minMaxLoc(self.ratio)[1] > 1
        if exceeds and self._stale:
            self._set_reach()
        cv2.absdiff(self.difference, self.recent, self.change)
        cv2.accumulateWeighted(self.difference, self.recent, share(elapsed_s, n.RECENT_S))
        return exceeds

    def _unclip(self, small: Mask) -> None:
        """Where white has reached its end in picture or background, the difference may be of one sign only."""
        if cv2.minMaxLoc(small)[1] >= n.WHITE:
            at_least(small, n.WHITE, self._mask)
            cv2.dilate(self._mask, CROSS, self._mask)
            np.maximum(self.difference, self._none, out=self._b)
            cv2.copyTo(self._b, self._mask, self.difference)
        if self._whitest >= n.WHITE_BACKGROUND:
            np.minimum(self.difference, self._none, out=self._b)
            cv2.copyTo(self._b, self._white, self.difference)

    def learn(self, *, first: bool) -> None:
        """Learn from a picture that is believed to be empty: a running mean, and restlessness at speed."""
        self.learned += 1
        weight = 1.0 / (self.learned + 1)
        cv2.scaleAdd(self.difference, weight, self.mean, self.mean)
        cv2.scaleAdd(self.light.fit, weight, self.mean, self.mean)
        cv2.scaleAdd(self.threshold, n.RESTLESS_CAP, self._none, self._a)
        cv2.min(self.size, self._a, self._a)
        self._raise(self.size if first else self._a, 0.5 if first else 0.1, 0.05)
        self.recent.fill(0)
        if not self.learned & (self.learned - 1):  # the mean moves less and less: after 1, 2, 4, 8 pictures
            self._rebase()
        self._set_thresholds()

    def adapt(
        self,
        elapsed_s: float,
        *,
        soft: Plane | None,
        shy: Mask | None,
        visit: Mask | None,
        travels: bool,
        floor: Plane | None,
    ) -> None:
        """Follow the picture for `elapsed_s`.

        Args:
            elapsed_s: since the last call.
            soft: smooth local light to take over, if it was measured on this frame.
            shy: where that light must not be taken over, because something sharp is there.
            visit: where someone is, generously; None when nobody is.
            travels: whether that someone is known to travel (not a tree).
            floor: thresholds from before the visit.
        """
        limit = self.threshold if floor is None else floor
        cv2.scaleAdd(limit, 0.8, self._none, self._a)
        cv2.compare(self.size, self._a, cv2.CMP_LT, self._quiet)
        self._rate.fill(share(elapsed_s, n.ABSORB_S))
        if visit is not None:
            self._held.fill(share(elapsed_s, n.HOLD_BACKGROUND_S))
            cv2.copyTo(self._held, visit, self._rate)
        self._quick.fill(share(elapsed_s, n.BACKGROUND_S))
        cv2.copyTo(self._quick, self._quiet, self._rate)
        cv2.multiply(self.difference, self._rate, self._a)
        if soft is not None:
            # blurred once more: a box blur alone answers some waves with the wrong sign, and would feed on itself
            cv2.blur(soft, (n.WINDOW_BLOCKS, n.WINDOW_BLOCKS), self._b)
            cv2.multiply(self._b, self.smooth_gain, self._b, share(elapsed_s, n.LIGHT_FIELD_S))
            if shy is not None:
                cv2.copyTo(self._none, shy, self._b)
            cv2.add(self._a, self._b, self._a)
        cv2.add(self.mean, self._a, self.mean)
        cv2.subtract(self.recent, self._a, self.recent)
        taken = share(elapsed_s, n.BACKGROUND_S)
        if self.light.fitted:
            cv2.scaleAdd(self.light.fit, taken, self.mean, self.mean)
            self.light.fade(taken)
        self._learn_restlessness(elapsed_s, visit, travels=travels)
        self._basis_age_s += elapsed_s
        self._age_s += elapsed_s
        if self._basis_age_s >= (n.BASIS_AT_REST_S if soft is None and not self.light.fitted else n.BASIS_S):
            self._rebase()
        self._set_thresholds()

    def _learn_restlessness(self, elapsed_s: float, visit: Mask | None, *, travels: bool) -> None:
        cv2.scaleAdd(self.threshold, n.RESTLESS_CAP, self._none, self._a)
        cv2.min(self.size, self._a, self._a)
        cv2.min(self.change, self._a, self._a)
        if travels and visit is not None:
            cv2.copyTo(self.restless, visit, self._a)
        slower = n.RESTLESS_IN_VISIT if travels and visit is not None else 1.0
        rise = share(elapsed_s, n.RESTLESS_RISE_S) * slower
        fall_s = min(n.RESTLESS_FALL_S, n.RESTLESS_FALL_FIRST_S + self._age_s)
        self._raise(self._a, rise, share(elapsed_s, fall_s))

    def _raise(self, seen: Plane, up: float, down: float) -> None:
        """Expectile step: far up for what is above, a little down for what is below."""
        cv2.subtract(seen, self.restless, self._a)
        cv2.scaleAdd(self._a, up, self._none, self._b)
        cv2.scaleAdd(self._a, min(up, down), self._none, self._a)
        cv2.max(self._a, self._b, self._a)
        cv2.add(self.restless, self._a, self.restless)

    def _rebase(self) -> None:
        self._basis_age_s = 0.0
        self._stale = True
        self.light.rebase(self.mean)
        cv2.erode(self.mean, CROSS, self._low)
        cv2.dilate(self.mean, CROSS, self._high)
        cv2.subtract(self._high, self.mean, self._high)
        cv2.subtract(self.mean, self._low, self._low)
        cv2.blur(self.mean, (n.WINDOW_BLOCKS, n.WINDOW_BLOCKS), self._a)
        np.add(self._a, np.float32(1), out=self._a)
        cv2.divide(self.mean, self._a, self.smooth_gain)
        self._whitest = cv2.minMaxLoc(self.mean)[1]
        if self._whitest >= n.WHITE_BACKGROUND:
            above(self.mean, n.WHITE_BACKGROUND, self._white)
            cv2.dilate(self._white, CROSS, self._white)

    def _set_thresholds(self) -> None:
        # more sensitive means fainter things, not more noise: what is learned never counts for less
        cv2.scaleAdd(self.restless, n.THRESHOLD_PER_RESTLESS * max(1.0, self._scale), self._none, self.threshold)
        cv2.max(self.threshold, self._least, self.threshold)
        cv2.min(self.threshold, self._most, self.threshold)
        cv2.divide(self._zone, self.threshold, self.per_threshold)
        self._stale = True
        # whole levels that do not exceed: half a level less, and rounded
        cv2.add(self.threshold, self._outside, self._a)
        cv2.add(self.mean, self.light.fit, self._b)
        cv2.add(self._b, self._a, self._brightest, dtype=cv2.CV_8U)
        cv2.subtract(self._b, self._a, self._darkest, dtype=cv2.CV_8U)

    def _set_reach(self) -> None:
        self._stale = False
        cv2.dilate(self.threshold, WIDE, self._b)
        above(self._b, n.SWAYED * n.THRESHOLD_FLOOR * self._scale, self._mask)
        for reach, out, sign in ((self._high, self.per_rise, 1.0), (self._low, self.per_fall, -1.0)):
            cv2.scaleAdd(self.threshold, 0.5, self._none, self._a)
            cv2.scaleAdd(reach, n.SWAY_REACH, self._a, self._b)
            cv2.scaleAdd(reach, n.QUIET_REACH, self._a, self._a)
            cv2.copyTo(self._b, self._mask, self._a)
            cv2.max(self._a, self.threshold, self._a)
            cv2.divide(self._zone, self._a, out, sign)
