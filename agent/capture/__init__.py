"""Camera sources, the motion kernel and the trigger."""
