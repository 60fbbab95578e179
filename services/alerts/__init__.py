"""提醒: departments are alerted of their parts of calls, outside any queue or screen."""
