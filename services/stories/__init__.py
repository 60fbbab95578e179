"""故事: what the reform of Yun'an is told by, each played to its end through the real services."""
