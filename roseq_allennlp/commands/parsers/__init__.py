"""The arguments and help of each command, without AllenNLP and torch."""
