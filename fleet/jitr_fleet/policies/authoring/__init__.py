"""What authors of policy templates use: lint, diff, templates and the schema for editors."""
