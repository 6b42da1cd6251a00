"""Workloads and measuring: dezero beside PyTorch in one run."""
