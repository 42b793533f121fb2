"""Events of nights, the Moon and the schedule of sites, computed from where their configurations place them."""
