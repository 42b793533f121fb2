INSERT INTO header_check (version_id, checked) SELECT min(id), '2026-11-30 02:04:00+00' FROM version;
INSERT INTO finding (version_id, rule, rule_group, severity, keyword, expected, actual, residual, unit, hypothesis,
    message, proposal)
SELECT min(id), 'hour-angle', 'hour angle', 'error', 'HASTART', '-11.642717', '-11.48812', 37.1, 's',
    'TAI used as UTC: TAI-UTC lost (37 s)', 'HASTART is 37.1 s ahead.', NULL FROM version;
