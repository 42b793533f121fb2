"""Headers as others get them: announcements, consumers, revisions, objects of the annex."""
