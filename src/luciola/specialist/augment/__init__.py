"""Training-time variety for text-to-SQL, so that a model reads the schema instead of remembering
one: other names, other words, other tables around the same question.
"""
