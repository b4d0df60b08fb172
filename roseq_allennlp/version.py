"""The version, for a checkout that runs without being installed too; setup.py reads it here."""

VERSION = "0.1.0"
