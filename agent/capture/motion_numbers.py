"""Every constant of the motion kernel, with its reason. Levels are luma levels 0..255; times are seconds.

Rules of this room: nothing here is tuned to a clip. Times come from how fast people, leaves, clouds and lamps
move, levels from what eight bits and a small sensor can tell apart. Constants are per second, so any frame rate
will do.
"""

GRID_PX = 60
"""The luma plane is halved until it is at most this wide: blocks of 8 px at 320 px. A block's mean is a matched
filter for the smallest thing worth recording and averages sensor noise eightfold."""

LOOK_S = 0.085
"""Frames that come sooner than this after the last one looked at get its answer: 15 fps is looked at 7.5 times
a second, 30 fps ten times. Nothing that walks or drives through a porch tells more at 30 Hz, and the cost per
second falls."""

THINK_S = 0.12
THINK_IN_VISIT_S = 0.3
"""Where nothing exceeds its threshold a look ends early. Else evidence is weighed this often at most; while
someone is followed, less often, unless what was followed has gone from where it was."""

QUIET_LEVELS = 0.5
"""Mean difference from the background below which there is no global light to fit."""

LEARN_S = 1.0
RELEARN_S = 0.5
LEARN_LOOKS = 5  # at the start, and at a few frames a second: fewer show no sway

# how the background is kept
BACKGROUND_S = 4.0  # light of a quiet block is followed this fast
ABSORB_S = 15.0  # what stands in the picture and does not move becomes background this fast
HOLD_BACKGROUND_S = 400.0  # under someone who is here the background is kept
RECENT_S = 1.2  # the recent past against which something moves: slow walkers need more than a few frames
LIGHT_FIELD_S = 1.0  # soft local light is followed this fast
MODEL_S = 0.3
MODEL_AT_REST_S = 0.5  # while nothing exceeds its threshold nothing else is computed in between
MODEL_SETTLED_S = 1.0  # the same when that has been so for BACKGROUND_S
BASIS_S = 1.2
BASIS_AT_REST_S = 5.0  # nothing is derived from the background then; it is renewed when rest ends

# how a block's own restlessness is learned: an expectile, nearer to its peaks than to its mean
RESTLESS_RISE_S = 6.0  # longer than a passer-by stays in one block
RESTLESS_FALL_S = 40.0  # longer than the pause between two gusts
RESTLESS_FALL_FIRST_S = 10.0  # at the start, and a second more with every second: someone may have passed by then
RESTLESS_CAP = 4.0  # thresholds: one event cannot teach more than this
RESTLESS_IN_VISIT = 0.1  # while someone travels through, restlessness is learned this much slower
THRESHOLD_FLOOR = 2.5
THRESHOLD_CEILING = 50.0  # what differs by more is no leaf, whatever passed here before
THRESHOLD_PER_RESTLESS = 2.4

# global light and shake: prior widths in levels (gain, contrast, gain slopes, offset slopes) and blocks (shift)
PRIOR = (60.0, 8.0, 8.0, 8.0, 4.0, 4.0, 0.3, 0.3)
PRIOR_NOISE = 4.0
INDEPENDENT_BLOCKS = 40.0  # neighbouring residuals go together: so many really independent ones are in a picture
WHITE = 248  # a block as bright as this has pixels at their end, and light cannot be fitted there
WHITE_BACKGROUND = 235  # the same, with a margin, for what is remembered
JUMP_LEVELS = 5.0  # a jump of the light by so much doubles what evidence must amount to
JUMP_S = 1.5
CLIP = 8.0  # an object pulls the fit no harder than this
LET_GO = 24.0  # and beyond this it pulls no more: light that jumps so far is fitted anew
SATURATED_FRACTION = 0.4  # of the picture pulls that hard: the light has jumped, or something large came in
JUMP_EXPLAINS = 0.85  # a jump of the light leaves less than this of what was unexplained before

# what counts as evidence
SWAY_REACH = 0.6  # of a block: texture that moves by less explains a change within its neighbours' range
QUIET_REACH = 0.3  # the same where nothing around has ever swayed
SWAYED = 1.3  # of the lowest threshold: from here on it has
RECENT_FRACTION = 0.2  # of its size: a change is over when it differs by less from the recent past
WINDOW_BLOCKS = 5  # light is smooth over this many blocks, people are not
SOFT_FRACTION = 0.35  # a change must be sharper than this fraction of the smooth change around it
CLUTTER_FACTOR = 2.3  # how far above the rest of the picture an object must stand out
CLUTTER_RANK = 0.4  # of the sectors: two or three objects must not pass for rain
CLUTTER_S = 2.0
SWAY_S = 4.0  # leaves come back within this time
SWAY_TIMES = 2.0  # a block that changed sides more often than this sways
EVIDENCE_S = 0.25
EVIDENCE_TOP = 2.0
EVIDENCE_ON = 1.2
EVIDENCE_LOW = 0.6  # of EVIDENCE_ON: a candidate begins
LOST_S = 0.25
LOST_FACTOR = 2.0  # evidence that is lost forgets its age so much faster than it gained it
FASTEST_BLOCKS = 10.0  # blocks a second beyond its own width: a runner near the door, a car in the street

# when a candidate is believed
BRIEF_S = 0.45  # insects and reflections are gone by then
BRIEF_LARGE_S = 0.3  # something large need not wait so long, but longer than an insect near the lens
LARGE_FRACTION = 0.015
SELDOM_S = 0.8  # between two looks: whoever hurries is in one of them only,
SELDOM_ON = 1.8  # and strong evidence must do
FRESH_AFTER_S = 0.1
FRESH_FRACTION = 0.5  # a traveller enters new blocks: so many of those it began with
FRESH_BLOCKS = 1.0
VISITED_S = 2.5
YOUNG = 0.5  # at the start evidence must amount to so much more, and something small must last so much longer:
YOUNG_BRIEF_S = 2.0  # a branch needs seconds to swing to and fro
YOUNG_S = 6.0  # and less from look to look, until so long after the start
PATIENCE_S = 4.0  # what does not travel must last this long

# something large that passes quickly: a car close to the camera
SOLID_FRACTION = 0.03  # of the picture: in less its texture tells too little
SOLID_ONE_SIGN = 0.9  # of its contrast is brighter, or darker: leaves are both
SOLID_GOES_ON = 0.5  # of its region is new
SOLID_WITHIN_S = 1.0  # to what it was so long ago
ANOTHER_LIKENESS = 0.35  # correlation: light leaves some 0.8 of the texture, another surface has it by chance

# someone who stands
LINGER_S = 0.35
STAND_S = 25.0  # without any movement at all
ALIVE_S = 60.0  # with small movements only
REGION_FRACTION = 0.25  # of the object's own contrast: belongs to it
SWAY_FRACTION = 0.3  # of the contrast: less does not count as changing sides
OBJECT_LEFT_FRACTION = 0.2  # of its energy: less, and it has gone
STAND_LEVELS = 8.0  # fainter, and light and noise could be what stands there
OBJECT_S = 6.0
SWAYING_TIMES = 1.6
SWAYING_FRACTION = 0.3
GHOST_EDGE = 1.0

# light, or something that covers the background
LIGHT_FRACTION = 0.5
LIGHT_JUMP = 0.25
LIGHT_LIKENESS = 0.5
LIGHT_REGION = 40  # blocks: from here on a visit's texture is looked at again and again
LIGHT_BEGIN = 20  # blocks: from here on a candidate's is; in fewer a faint person leaves it much as it was
LIGHT_LEAST = 1.5  # levels of texture: less tells nothing
LIGHT_TEXTURE = 6.0  # times the energy of the texture: light makes no new edges
GONE_GAIN = 0.5  # the background's texture is there to less than this: something covers it
TEXTURE_BLOCKS = 4.0  # so many neighbours have one texture
COVERED_RATIO = 2.0  # thresholds: from here on a difference counts for that
COVERED_FRACTION = 0.05  # of the picture: from here on that is looked at
