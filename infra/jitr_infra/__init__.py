"""The CDK constructs, one a file; the stack composes them."""
