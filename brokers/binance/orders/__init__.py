"""Orders as they are sent, and what the venue tells of them. Pure but for the telling."""
