"""Periods, windows and working calendars."""
