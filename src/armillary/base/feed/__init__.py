"""An ordered, durable log of what happened, by topics: for followers, and for consumers that acknowledge.

Entries are written in the transaction that does what they tell, mostly by triggers: no code path can forget
them, and nothing is told that is rolled back. Readers see them in an order to which nothing is added behind
them.

**Order.** Neither ids nor instants order entries: both are drawn before the commit, so a slow transaction would
put entries behind the back of a reader who has gone past them. So a transaction draws one *number* for each
topic that it writes to, at its first entry there, and says before it draws that it is about to: it holds a
shared advisory lock that bears the topic and the last number drawn so far, until it ends. The order is
(generation, number, id), and a reader sees the entries up to a *bound* below which nobody can write any more
(``feed_settled`` in the database):

1. It reads the last number that was drawn, ``s``.
2. It looks for the lowest number ``m`` in the locks of the topic. The bound is the lower one of both.
3. It reads entries up to the bound, by a later statement, which sees every commit until then.

An entry up to the bound that is missed there would be one of a transaction that commits later. Its lock bears
``v``, it drew ``n``, and ``v < n`` since it looked at ``v`` before. If it held the lock in step 2, then ``n > v
>= m``: above the bound. If it took the lock afterwards it drew after step 1, so ``n > s``: above the bound. If
it had given the lock back it had ended, and PostgreSQL gives locks back after a commit can be seen: then step 3
sees it. So each topic settles by itself. An open transaction holds back the topics that it wrote to, and no
others.

**Keys.** Entries of one key come in the order in which they were written, provided that who writes them
excludes each other, as by the lock of the row that the key means: a transaction that comes to a key after one
with a higher number did writes under that number. No reader is there yet, since its own lock holds them back.

**Generations.** Numbers come from a sequence. A server that a dump was restored to, and a copy of an archive,
give numbers again that others have given before; see `armillary.base.feed.generations`. Entries of older
generations are settled. A cursor that names no entry is refused: what its owner has seen never happened here.

**Horizon.** Old entries may be forgotten, always a first part of a topic, and none that a registered consumer
has not acknowledged. A cursor before the horizon is refused, also in the middle of following: there would be a
gap.
"""
