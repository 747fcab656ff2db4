"""Paceline: sales performance as a service."""
