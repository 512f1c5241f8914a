"""Authentication, rights and limits: who calls, what they may do, and how much at once."""
