"""The same stack on this computer: emulator runner and demo."""
