//! Role assignments.

use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Connection, Result, RoleAssignmentRow, StoreError, end_of, failed, micros, time, uuid,
};

#[derive(FromRow)]
struct Stored {
    key: String,
    id: String,
    scope: String,
    role: String,
    principal: String,
    principal_type: String,
    description: Option<String>,
    created_at: i64,
    created_by: String,
}

impl Stored {
    fn read(self) -> Result<RoleAssignmentRow> {
        Ok(RoleAssignmentRow {
            key: self.key,
            id: self.id,
            scope: self.scope,
            role: uuid(&self.role)?,
            principal: uuid(&self.principal)?,
            principal_type: self.principal_type,
            description: self.description,
            created_at: time(self.created_at)?,
            created_by: serde_json::from_str(&self.created_by).map_err(|error| {
                StoreError::Malformed {
                    what: "actor",
                    detail: error.to_string(),
                }
            })?,
        })
    }
}

pub(super) async fn get(on: &mut Connection, key: &str) -> Result<Option<RoleAssignmentRow>> {
    let stored = sqlx::query_as::<_, Stored>("SELECT * FROM role_assignments WHERE key = $1")
        .bind(key)
        .fetch_optional(on)
        .await
        .map_err(failed("read a role assignment"))?;
    stored.map(Stored::read).transpose()
}

pub(super) async fn all(on: &mut Connection) -> Result<Vec<RoleAssignmentRow>> {
    let stored = sqlx::query_as::<_, Stored>("SELECT * FROM role_assignments ORDER BY key")
        .fetch_all(on)
        .await
        .map_err(failed("list role assignments"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn of_principal(
    on: &mut Connection,
    principal: Uuid,
) -> Result<Vec<RoleAssignmentRow>> {
    let stored = sqlx::query_as::<_, Stored>(
        "SELECT * FROM role_assignments WHERE principal = $1 ORDER BY key",
    )
    .bind(principal.to_string())
    .fetch_all(on)
    .await
    .map_err(failed("list the roles of a principal"))?;
    stored.into_iter().map(Stored::read).collect()
}

pub(super) async fn insert(on: &mut Connection, row: &RoleAssignmentRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO role_assignments (key, id, scope, scope_key, role, principal, principal_type,
             description, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&row.key)
    .bind(&row.id)
    .bind(&row.scope)
    .bind(row.scope.to_lowercase())
    .bind(row.role.to_string())
    .bind(row.principal.to_string())
    .bind(&row.principal_type)
    .bind(&row.description)
    .bind(micros(row.created_at))
    .bind(serde_json::json!(row.created_by).to_string())
    .execute(on)
    .await
    .map_err(failed("write a role assignment"))?;
    Ok(())
}

pub(super) async fn describe(
    on: &mut Connection,
    key: &str,
    description: Option<&str>,
) -> Result<()> {
    sqlx::query("UPDATE role_assignments SET description = $1 WHERE key = $2")
        .bind(description)
        .bind(key)
        .execute(on)
        .await
        .map_err(failed("describe a role assignment"))?;
    Ok(())
}

pub(super) async fn delete(on: &mut Connection, key: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM role_assignments WHERE key = $1")
        .bind(key)
        .execute(on)
        .await
        .map_err(failed("delete a role assignment"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete_of_principal(on: &mut Connection, principal: Uuid) -> Result<()> {
    sqlx::query("DELETE FROM role_assignments WHERE principal = $1")
        .bind(principal.to_string())
        .execute(on)
        .await
        .map_err(failed("delete the roles of a principal"))?;
    Ok(())
}

/// Those at a scope that is no more, and below it: whoever makes something of the same name again does not
/// inherit who could reach the old one.
pub(super) async fn delete_at(on: &mut Connection, scope_key: &str) -> Result<()> {
    let prefix = format!("{scope_key}/");
    sqlx::query(
        "DELETE FROM role_assignments
         WHERE scope_key = $1 OR (scope_key > $2 AND scope_key < $3)",
    )
    .bind(scope_key)
    .bind(&prefix)
    .bind(end_of(&prefix))
    .execute(on)
    .await
    .map_err(failed("delete the role assignments of a resource"))?;
    Ok(())
}
