"""A durable log of telemetry samples: what instruments, telescope and weather station say, as of any instant.

A sample says that a topic of a source had some values at an instant, its *event time*. What somebody asks for is
answered by event times alone, however late and in which order samples came: the value in force at an instant
(``AsOf``), or during an interval (``Range``). Who follows gets samples in the order in which they were stored.

**Instants** are integers, nanoseconds of TAI since 1970-01-01T00:00:00 TAI. This package knows no other scale: who
publishes has converted what a clock of a source said.

**Identity.** A sample is (source, epoch, topic, seq), since counters begin anew when a publisher does. To store
one twice changes nothing, so whoever does not know whether a sample was stored sends it again.

**Offsets.** Where a sample stands in the log. The upper bits are the number that its transaction drew for the
topic of samples in `armillary.base.feed`, the lower ``PLACE_BITS`` its place in it; so offsets rise in the order
in which followers are told, and nothing is ever added behind one of them. A follower goes on from an offset, a
consumer from what it has acknowledged.

**Engines.** ``Bus`` is the Protocol, `armillary.base.bus.engine` the one that keeps samples in PostgreSQL, with
the log of announcements in the feed. Whatever another engine is made of, it passes `tests/conformance/bus`.
"""
