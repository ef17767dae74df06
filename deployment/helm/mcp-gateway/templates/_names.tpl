{{/* SPDX-License-Identifier: MIT */}}

{{- define "mcp-gateway.labels" -}}
app.kubernetes.io/name: mcp-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Not app.kubernetes.io/managed-by: the gateway knows its servers by that one. */}}
{{- define "mcp-gateway.selector" -}}
app.kubernetes.io/name: mcp-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mcp-gateway.keys" -}}
{{ .Values.sessionKeys.existingSecret | default "mcp-gateway-session-keys" }}
{{- end }}

{{/* listen.port is MCP_GATEWAY_LISTEN_PORT, and tls.keyFile MCP_GATEWAY_TLS_KEY_FILE. */}}
{{- define "mcp-gateway.variable" -}}
MCP_GATEWAY_{{ regexReplaceAll "([A-Z])" . "_${1}" | replace "." "_" | upper }}
{{- end }}
