{{/* What the pods of the service and of the migration share: no rights, no token, a read-only root. */}}
{{- define "hitl.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "hitl.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "hitl.environment" -}}
{{- if or .Values.env .Values.telemetry.otlpEndpoint }}
env:
  {{- with .Values.telemetry.otlpEndpoint }}
  {{- if not (contains "${HITL_OTLP_ENDPOINT" $.Values.config) }}
  {{- fail "telemetry.otlpEndpoint needs this in the configuration: telemetry: {otlp_endpoint: \"${HITL_OTLP_ENDPOINT:-}\"}" }}
  {{- end }}
  - {name: HITL_OTLP_ENDPOINT, value: {{ . | quote }}}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "hitl.mounts" -}}
- {name: config, mountPath: /etc/hitl/hitl.yaml, subPath: hitl.yaml, readOnly: true}
- {name: secrets, mountPath: /etc/hitl/secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Volumes: a list of the values, the name of the ConfigMap, the names of the Secrets. Every key of these is a file. */}}
{{- define "hitl.volumes" -}}
{{- $values := index . 0 -}}
- name: config
  configMap: {name: {{ index . 1 }}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range index . 2 }}
      - secret: {name: {{ . }}}
      {{- end }}
- name: tmp
  emptyDir: {sizeLimit: {{ $values.tmp.sizeLimit }}}
{{- with $values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
