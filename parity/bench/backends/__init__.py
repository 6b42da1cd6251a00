"""Libraries under measurement: one class per library, all with the interface ``base.Backend``."""
