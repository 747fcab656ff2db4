"""The one small language of filters and formulas: syntax tree, parser and checker."""
