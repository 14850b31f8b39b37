"""The stack on this computer: emulator, deploy, state."""
