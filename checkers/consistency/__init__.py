"""Consistency of reads and writes short of linearizability: sessions, causality, order, totals."""
