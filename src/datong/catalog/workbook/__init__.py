"""The Excel template of the 政务信息资源目录: written prefilled, read cell by cell, returned with faults marked."""
