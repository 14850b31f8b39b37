"""The language of AWS IoT policies as tables: actions, keys, variables, operators, each row with its source."""
