"""Running a flow's test fixtures against its deployed Core."""
