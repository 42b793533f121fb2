"""Control rooms: one per site, at a provider that may hang, refuse or answer nonsense.

Requests change nothing by themselves. They queue orders, of which those of one site run one after another, so
simultaneous requests make one room. The orders have workers of their own: a provider that hangs keeps no slot of
other work, and no transaction is open while it is asked.
"""
