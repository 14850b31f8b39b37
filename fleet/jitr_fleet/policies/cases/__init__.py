"""Policy cases: what a template must allow and deny, written as tests."""
