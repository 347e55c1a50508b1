"""A whole service under faults: what it accepted must end as if none had happened."""
