"""The vault: the process that decides. No network, no camera.

One thread, the loop, owns the database and everything that changes. Links, timers, the button and the directory's
thread only post to it. What a call changes is durable, together with its log entry, before any effect of it.
"""
