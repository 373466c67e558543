"""The data plane's only door: the serving store, the decision, the verification. No Django, no SQL.

The control plane and the worker write (`compile`), the gateway reads (`store`, `decide`, `verify`, `batch`).
"""
